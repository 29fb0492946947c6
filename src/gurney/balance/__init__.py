"""Choosing: facts, rules, pins, members, status policy, the route table. Pure: no clock, socket, file or thread."""
