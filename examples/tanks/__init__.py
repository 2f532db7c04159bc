"""The legend of the tank detector that had learned the weather, rebuilt: ``make tanks``."""
