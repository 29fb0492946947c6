"""Whether a member can take traffic: outcome words, rise and fall, damping, slow start, checks. Pure: time is an argument."""
