"""How much phantoms' X-rays look like those of real CTs: pictures side by side, statistics, a classifier's AUC."""
