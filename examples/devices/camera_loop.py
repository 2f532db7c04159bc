"""A window with the camera and where the classifier looks: python camera_loop.py ARTIFACT [CAMERA], q ends it.

Needs camlite[litert,camera].
"""

import sys

import cv2

import camlite

explainer = camlite.load(sys.argv[1])
source = sys.argv[2] if len(sys.argv) > 2 else "0"
camera = cv2.VideoCapture(int(source) if source.isdecimal() else source)
if not camera.isOpened():
    sys.exit(f"{source}: no such camera; expected 0, a stream or a video file")
while (read := camera.read())[0]:
    explanation = explainer.explain(read[1][..., ::-1])  # OpenCV's colours are blue, green, red
    print(f"{explanation.label} {explanation.score:.3f}", flush=True)
    try:
        cv2.imshow("camlite", explanation.overlay()[..., ::-1])
        if cv2.waitKey(1) == ord("q"):
            break
    except cv2.error:  # opencv-python-headless, of the extra `camera`, has no windows
        cv2.imwrite("camera_loop.jpg", explanation.overlay()[..., ::-1])  # the last frame, to look at
