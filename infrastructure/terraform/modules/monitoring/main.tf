# What to look at and what to be woken by: alarms on the function, the API and
# Redis, and one dashboard of the whole path.
terraform {
  required_version = ">= 1.5.7"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 6.34.0, < 7.0.0" }
  }
}

data "aws_region" "this" {}

locals {
  function = { FunctionName = var.function_name }
  api      = { ApiName = var.api.name, Stage = var.api.stage }
  # Any node may be the primary one after a failover.
  caches = [for n in range(var.redis_nodes) : { CacheClusterId = format("%s-%03d", var.replication_group_id, n + 1) }]
  # CloudFront's metrics stand in us-east-1 under the Region Global.
  distribution = { DistributionId = var.distribution_id, Region = "Global" }
  own          = "Sluice/${var.name}"

  alarms = merge({
    errors = {
      namespace = "AWS/Lambda", metric = "Errors", statistic = "Sum", threshold = 5, dimensions = local.function
      says      = "The function failed more than 5 times in 5 minutes: read its log group."
    }
    throttles = {
      namespace = "AWS/Lambda", metric = "Throttles", statistic = "Sum", threshold = 0, dimensions = local.function
      says      = "Requests found no environment: raise reserved_concurrency or the account's limit."
    }
    duration = {
      namespace = "AWS/Lambda", metric = "Duration", statistic = "Maximum", threshold = 840000, dimensions = local.function
      says      = "An invocation came within a minute of Lambda's 15."
    }
    api-5xx = {
      namespace = "AWS/ApiGateway", metric = "5XXError", statistic = "Sum", threshold = 5, dimensions = local.api
      says      = "The API answered more than 5 times in 5 minutes with 5xx."
    }
    first-byte = {
      namespace = local.own, metric = "TimeToFirstContent", statistic = "p90", threshold = 10000, dimensions = {}
      says      = "One request in ten waited over 10 s for its first byte: cold starts, or a slow database."
    }
    }, { for n, cache in local.caches : "redis-full${n == 0 ? "" : "-${n + 1}"}" => {
      namespace  = "AWS/ElastiCache", metric = "DatabaseMemoryUsagePercentage", statistic = "Maximum", threshold = 80
      dimensions = cache
      says       = "Redis is over 80 % full: choose a larger node_type."
      } }, { for n, cache in local.caches : "redis-conns${n == 0 ? "" : "-${n + 1}"}" => {
      namespace  = "AWS/ElastiCache", metric = "CurrConnections", statistic = "Maximum", threshold = var.redis_connections
      dimensions = cache
      says       = "Redis has more connections than planned: each environment holds 2 or 3."
  } })
}

# API Gateway measures the first byte in its access log alone.
resource "aws_cloudwatch_log_metric_filter" "first_byte" {
  name           = "${var.name}-first-byte"
  log_group_name = var.api.log_group
  pattern        = "{ $.[\"integration.timeToFirstContent\"] = * && $.[\"integration.timeToFirstContent\"] != \"-\" }"

  metric_transformation {
    namespace = local.own
    name      = "TimeToFirstContent"
    value     = "$.[\"integration.timeToFirstContent\"]"
    unit      = "Milliseconds"
  }
}

# A percentile counts however few the requests are, by default: at night one cold start is the slowest tenth. With
# evaluate_low_sample_count_percentiles = "ignore" it would take 100 in 5 minutes, and the alarm of a small site never sounds.
resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# Each metric is its namespace, its name and its dimensions.
locals {
  region = data.aws_region.this.region
  widgets = [
    { title = "Requests", region = local.region, stat = "Sum", metrics = [
      ["AWS/ApiGateway", "Count", local.api], ["AWS/ApiGateway", "4XXError", local.api], ["AWS/ApiGateway", "5XXError", local.api],
    ] },
    { title = "Function", region = local.region, stat = "Sum", metrics = [
      ["AWS/Lambda", "Invocations", local.function], ["AWS/Lambda", "Errors", local.function], ["AWS/Lambda", "Throttles", local.function],
    ] },
    { title = "Environments at work", region = local.region, stat = "Maximum", metrics = [
      ["AWS/Lambda", "ConcurrentExecutions", local.function],
    ] },
    { title = "Duration, longest (ms)", region = local.region, stat = "Maximum", metrics = [
      ["AWS/Lambda", "Duration", local.function],
    ] },
    { title = "First byte, p90 (ms)", region = local.region, stat = "p90", metrics = [
      [local.own, "TimeToFirstContent", {}],
    ] },
    { title = "Distribution, errors (%)", region = "us-east-1", stat = "Average", metrics = [
      ["AWS/CloudFront", "4xxErrorRate", local.distribution], ["AWS/CloudFront", "5xxErrorRate", local.distribution],
    ] },
    { title = "Redis, memory (%)", region = local.region, stat = "Maximum", metrics = [
      for cache in local.caches : ["AWS/ElastiCache", "DatabaseMemoryUsagePercentage", cache]
    ] },
    { title = "Redis, connections", region = local.region, stat = "Maximum", metrics = [
      for cache in local.caches : ["AWS/ElastiCache", "CurrConnections", cache]
    ] },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.name}-${local.region}" # dashboards have one namespace for all regions
  dashboard_body = jsonencode({ widgets = [for i, w in local.widgets : {
    type = "metric", x = i % 2 * 12, y = floor(i / 2) * 6, width = 12, height = 6
    properties = {
      title   = w.title, region = w.region, stat = w.stat, period = 60, view = "timeSeries"
      metrics = [for m in w.metrics : concat([m[0], m[1]], flatten([for k, v in m[2] : [k, v]]))]
    }
  }] })
}
