"""From a recording to contacts, channels, envelopes and gain."""
