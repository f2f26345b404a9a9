# Which new objects lead to which queue. platform.Notifications says the same to the program.

locals {
  # SageMaker writes an answer or a failure for every invocation; see inference_sagemaker.tf.
  sagemaker_prefixes = local.sagemaker ? ["sagemaker-async-responses/", "sagemaker-async-failures/"] : []
  sagemaker_requests = local.sagemaker ? ["sagemaker-async-requests/"] : [] # which video-worker writes, and nobody listens to

  notifications = {
    input = [
      { id = "uploads", prefix = "input/", suffix = ".mp4", queue = "chunking" },
      { id = "segments", prefix = "segments/", suffix = ".mp4", queue = "video-worker" },
    ]
    output = concat(
      [{ id = "results", prefix = "jobs/", suffix = ".mp4", queue = "segment-output" }],
      [for p in local.sagemaker_prefixes : { id = trimsuffix(p, "/"), prefix = p, suffix = "", queue = "segment-output" }],
    )
  }

  # The bucket that may send to each queue; reassembly takes messages of the program alone.
  queue_senders = { for pair in distinct(flatten([
    for bucket, list in local.notifications : [for n in list : { queue = n.queue, bucket = bucket }]
  ])) : pair.queue => pair.bucket }
}

resource "aws_s3_bucket_notification" "media" {
  for_each = local.notifications

  bucket = aws_s3_bucket.media[each.key].id

  dynamic "queue" {
    for_each = each.value

    content {
      id            = queue.value.id
      queue_arn     = aws_sqs_queue.pipeline[queue.value.queue].arn
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = queue.value.prefix
      filter_suffix = queue.value.suffix
    }
  }

  depends_on = [aws_sqs_queue_policy.pipeline] # S3 tries a notification out before it takes it
}
