"""A window with the camera and where the classifier looks: python camera_loop.py ARTIFACT [CAMERA], q ends it."""

import sys

import cv2

import camlite

explainer = camlite.load(sys.argv[1])
source = sys.argv[2] if len(sys.argv) > 2 else "0"
camera = cv2.VideoCapture(int(source) if source.isdecimal() else source)
while True:
    good, frame = camera.read()
    if not good:
        break
    explanation = explainer.explain(frame[..., ::-1])  # OpenCV's colours are blue, green, red
    print(f"{explanation.label} {explanation.score:.3f}", flush=True)
    cv2.imshow("camlite", explanation.overlay()[..., ::-1])
    if cv2.waitKey(1) == ord("q"):
        break
