"""The speech protocol on the wire: WebSocket turns, short audio and transcription by HTTP."""
