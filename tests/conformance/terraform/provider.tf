terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

# The access key comes from the environment: eval "$(enid env)".
provider "aws" {
  region = "us-east-1"

  endpoints {
    ec2 = var.endpoint
    sts = var.endpoint
  }

  skip_metadata_api_check = true # enid's account number is asked for over STS, there is no metadata service here

  default_tags {
    tags = { project = "dual-homed" }
  }
}

variable "endpoint" {
  description = "Where enid's API listens."
  type        = string
  default     = "http://127.0.0.1:8773"
}
