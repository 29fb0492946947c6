"""The live harness: peers, proxies, senders and a real `gurney up`, none of which shares code with `src/`."""
