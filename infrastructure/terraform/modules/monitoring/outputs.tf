# Name of the dashboard.
output "dashboard" {
  value = aws_cloudwatch_dashboard.this.dashboard_name
}
