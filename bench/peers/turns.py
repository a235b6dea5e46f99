"""What a peer of speech prints: processor seconds and texts of recordings, as JSON."""

import json
import time


def report(heard, clips, turns):
    """Hear all recordings several times, after one for warming up; the quickest turn counts.

    Args:
        heard: From samples, float32 at 16 kHz, to a text.
        clips: The recordings.
        turns: How often.
    """
    heard(clips[0])
    seconds = []
    for _ in range(turns):
        started = time.process_time()
        texts = [heard(clip) for clip in clips]
        seconds.append(time.process_time() - started)
    print(json.dumps({"cpu_seconds": min(seconds), "texts": texts}))
