"""Device presets. Angles and travels from reference sources named beside them; speeds are estimates [E]."""
