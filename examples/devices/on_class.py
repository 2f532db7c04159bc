"""Do something when a class is seen for some frames in a row: python on_class.py ARTIFACT LABEL [CAMERA].

Needs camlite[litert,camera].
Where it says `print`, set a pin (gpiozero: `led.on()`) or publish a message (paho-mqtt: `client.publish(topic, line)`).
"""

import json
import sys
from collections.abc import Callable, Iterator

import cv2

import camlite
from camlite import Explanation

FRAMES = 3


def explanations(artifact: str, source: str) -> Iterator[Explanation]:
    """Explain each frame of a camera or video."""
    explainer = camlite.load(artifact)
    camera = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    if not camera.isOpened():
        sys.exit(f"{source}: no such camera; expected 0, a stream or a video file")
    while (taken := camera.read())[0]:
        yield explainer.explain(taken[1][..., ::-1])


def watch(seen: Iterator[Explanation], label: str, act: Callable[[bool, Explanation], None]) -> None:
    """Call `act` when the class comes, after so many frames of it, and when it goes, after so many without."""
    on, count = False, 0
    for explanation in seen:
        count = count + 1 if (explanation.label == label) != on else 0
        if count == FRAMES:
            on, count = not on, 0
            act(on, explanation)


def say(on: bool, explanation: Explanation) -> None:
    """Put your own here."""
    print(json.dumps({"on": on, "label": explanation.label, "score": round(explanation.score, 3)}), flush=True)


if __name__ == "__main__":
    watch(explanations(sys.argv[1], sys.argv[3] if len(sys.argv) > 3 else "0"), sys.argv[2], say)
