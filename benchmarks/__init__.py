"""Measurements that print both sides, ours and the peer's or the limit, from one run."""
