"""Fit the onset of every region to the recording, and the network to the onsets."""
