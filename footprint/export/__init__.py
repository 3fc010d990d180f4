"""Live runs' metrics for the engines that sites operate: Prometheus, node_exporter, a Pushgateway, OpenTelemetry.

Journals are read as they grow; no training process is touched.
"""
