"""The one place for the statuses Gurney itself answers with (PS3.7 Annex C, PS3.4 Table B.2-1)."""

from __future__ import annotations

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110  # a C-ECHO under `echo: pool` while no member is up
PAIR_REFUSED = 0x0122  # no rule or no member takes this SOP class and transfer syntax
UNRECOGNIZED = 0x0211  # an operation this service does not do
OUT_OF_RESOURCES = 0xA700
