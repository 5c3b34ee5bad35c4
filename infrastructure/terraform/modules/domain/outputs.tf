# What the distribution needs: the name and the certificate that covers it (module frontend's input domain).
output "alias" { value = { name = var.domain.name, certificate_arn = data.sluice_certificate.this.arn } }
