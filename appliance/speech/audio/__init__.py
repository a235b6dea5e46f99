"""Audio in: containers and codecs, WAV, resampling, voice activity."""
