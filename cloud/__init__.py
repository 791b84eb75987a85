"""The cloud core: takes the boxes' journals and makes records of them, beside the master data that records need."""
