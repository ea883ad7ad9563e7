"""Trains a classifier for handwritten digits and reports how it does on digits it has never seen.

Usage: train.py OUTPUT_FOLDER

The 1,797 scans ship inside scikit-learn, so no network is needed. A fixed quarter is held out: it is never
trained on, never augmented, and chooses nothing (the last epoch counts, not the best one).
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import sklearn
from scipy.ndimage import rotate, shift
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

EPOCHS = 36
SEED = 20260101
VARIANTS_PER_EPOCH = 4
GREY_LEVELS = 16.0


def augmented(images, randomness):
    """Every image once as scanned, and in shifted and turned variants: a pen never writes twice alike."""
    batches = [images]
    for _ in range(VARIANTS_PER_EPOCH):
        angle = randomness.uniform(-12, 12)
        offset = randomness.uniform(-0.8, 0.8, size=2)
        turned = rotate(images, angle, axes=(2, 1), reshape=False, order=1)
        batches.append(shift(turned, (0, *offset), order=1))
    return np.concatenate(batches)


def flat(images):
    return images.reshape(len(images), -1)


def main(output_folder):
    started = time.monotonic()
    output_folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    images = digits.images / GREY_LEVELS
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, digits.target, test_size=0.25, random_state=SEED, stratify=digits.target
    )
    print(f"{len(train_images)} scans to learn from, {len(test_images)} held out", flush=True)

    randomness = np.random.default_rng(SEED)
    model = MLPClassifier(
        hidden_layer_sizes=(512, 256), learning_rate_init=5e-4, alpha=1e-4, batch_size=64, random_state=SEED
    )
    labels = np.tile(train_labels, VARIANTS_PER_EPOCH + 1)
    history = []
    for epoch in range(1, EPOCHS + 1):
        model.partial_fit(flat(augmented(train_images, randomness)), labels, classes=digits.target_names)
        accuracy = float(model.score(flat(test_images), test_labels))
        history.append({"epoch": epoch, "loss": float(model.loss_), "accuracy": accuracy})
        seconds = time.monotonic() - started
        print(
            f"epoch {epoch:2d}/{EPOCHS}  loss {model.loss_:.4f}  held-out accuracy {accuracy:.4f}  {seconds:5.1f} s",
            flush=True,
        )

    weights = {f"weights_{i}": layer for i, layer in enumerate(model.coefs_)}
    biases = {f"biases_{i}": layer for i, layer in enumerate(model.intercepts_)}
    np.savez_compressed(output_folder / "weights.npz", **weights, **biases)
    metrics = {
        "accuracy": history[-1]["accuracy"],
        "epochs": EPOCHS,
        "seconds": round(time.monotonic() - started, 3),
        "trained_on": len(train_images),
        "held_out": len(test_images),
        "parameters": int(sum(layer.size for layer in [*model.coefs_, *model.intercepts_])),
        "confusion_matrix": confusion_matrix(test_labels, model.predict(flat(test_images))).tolist(),
        "history": history,
        "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
    }
    (output_folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"held-out accuracy {metrics['accuracy']:.4f} after {metrics['seconds']:.1f} s", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
