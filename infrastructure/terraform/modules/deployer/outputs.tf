# ARNs of the policies, by the name of their file: attach those of read-… for a plan (read-lock where it takes the lock), those of
# write-… too for a deployment, and make-state to nobody for longer than the first one takes.
output "policy_arns" { value = { for file, policy in aws_iam_policy.this : file => policy.arn } }

# The documents themselves, likewise, to put them elsewhere.
output "policy_documents" { value = local.documents }
