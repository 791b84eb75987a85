"""Batches to the cloud: one frame in flight, an answer is the only acknowledgement, failures wait with full jitter."""
