"""The harness of HTTP and TCP through HAProxy: members, load, sessions, certificates, and what the engine itself says."""
