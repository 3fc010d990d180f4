"""What MFU and goodput a plan will reach: the rule, its calibration, its measured neighbours."""
