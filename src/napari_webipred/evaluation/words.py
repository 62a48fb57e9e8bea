"""What metrics and figures mean, one sentence each, for people who do not compute them."""

from __future__ import annotations

from collections.abc import Mapping

TITLES: Mapping[str, str] = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "precision": "Precision",
    "npv": "Negative predictive value",
    "f1": "F1",
    "auc": "AUC",
    "auc_weighted": "AUC, weighted",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "ece": "Calibration error",
    "cohen_kappa": "Cohen's kappa",
    "quadratic_kappa": "Quadratic kappa",
    "matthews_correlation": "Matthews correlation",
}
SENTENCES: Mapping[str, str] = {
    "accuracy": "The share of images that are right.",
    "balanced_accuracy": "Accuracy in which every class counts the same, however few images have it.",
    "sensitivity": "Of the images that have the class, the share that was assigned it (also called recall).",
    "specificity": "Of the images that do not have the class, the share that was not assigned it.",
    "precision": "Of the images that were assigned the class, the share that have it; depends on how common it is.",
    "npv": "Of the images that were not assigned the class, the share that do not have it.",
    "f1": "A mean of precision and sensitivity that is low if either is low.",
    "auc": "How often an image with the class has a higher probability than one without it; 0.5 is chance.",
    "auc_weighted": "The mean of the areas of the classes, each counted by how many images have it.",
    "average_precision": "The mean precision over all thresholds; chance is the share of images with the class.",
    "brier": "The mean squared distance of probabilities from the truth; lower is better.",
    "ece": "How far probabilities are from the shares of images that have the class; lower is better.",
    "cohen_kappa": "Agreement beyond that of chance: 0 is chance, 1 is perfect.",
    "quadratic_kappa": "Agreement beyond that of chance in which far misses count more than near ones.",
    "matthews_correlation": "Correlation of assigned and true classes: 0 is chance, 1 is perfect.",
    "confusion": "How many images of each true class were assigned each class; right ones are on the diagonal.",
    "roc": "Sensitivity over the share of false alarms for every threshold; the diagonal is chance.",
    "precision_recall": "Precision over sensitivity for every threshold; tells more than ROC if the class is rare.",
    "reliability": "How many images have the class, by its probability; on the diagonal a probability is what it says.",
    "distribution": "How many images have each class.",
    "fdr": "Of the images that were assigned the class, the share that do not have it.",
    "fnr": "Of the images that have the class, the share that was missed.",
    "fpr": "Of the images that do not have the class, the share that was assigned it.",
}
