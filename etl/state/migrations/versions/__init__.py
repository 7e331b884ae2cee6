"""The changes, in order; what a released one makes is never altered."""
