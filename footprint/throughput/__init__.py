"""What MFU and goodput a plan will reach: its layout, the model, its calibration, its measured neighbours."""
