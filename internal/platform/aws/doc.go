// Package aws is the managed platform: objects in S3, messages in SQS, rows in DynamoDB. Any number of processes on any
// number of machines share it.
//
// Requests are tried up to maxAttempts times with a growing, random pause (the SDK's standard retryer); the SDK's clock
// skew correction and checksums are left on. A connection must be made within dialTimeout and a request answered
// within answerTimeout, except that bodies may take as long as they flow.
//
// # Permissions
//
// What each service may do, and nothing more: infra's policies and the calls that the end-to-end test sees are held
// against these lists, which Permissions reads. Bucket actions stand with the actions on its objects. s3:ListBucket also
// makes S3 answer 404 where it would answer 403 for an object that isn't there; transactions need the actions of their
// parts; sqs:GetQueueAttributes on a queue that is only sent to lets the service check at its start that it is there.
//
// web-ui:
//   - input bucket: s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:ListMultipartUploadParts
//   - output bucket: s3:ListBucket, s3:GetObject, s3:DeleteObject
//   - jobs table: dynamodb:GetItem, dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem
//   - jobs table indexes: dynamodb:Query
//   - segment completions table: dynamodb:Query, dynamodb:PutItem, dynamodb:BatchWriteItem
//   - reassembly triggered table: dynamodb:GetItem, dynamodb:Scan, dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem
//   - chunking queue: sqs:SendMessage, sqs:GetQueueAttributes
//   - video-worker queue: sqs:SendMessage, sqs:GetQueueAttributes
//   - segment-output queue: sqs:SendMessage, sqs:GetQueueAttributes
//   - reassembly queue: sqs:SendMessage, sqs:GetQueueAttributes
//   - chunking dead-letter queue: sqs:GetQueueUrl, sqs:GetQueueAttributes, sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:StartMessageMoveTask, sqs:PurgeQueue
//   - video-worker dead-letter queue: sqs:GetQueueUrl, sqs:GetQueueAttributes, sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:StartMessageMoveTask, sqs:PurgeQueue
//   - segment-output dead-letter queue: sqs:GetQueueUrl, sqs:GetQueueAttributes, sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:StartMessageMoveTask, sqs:PurgeQueue
//   - reassembly dead-letter queue: sqs:GetQueueUrl, sqs:GetQueueAttributes, sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:StartMessageMoveTask, sqs:PurgeQueue
//   - session key secret: secretsmanager:GetSecretValue
//
// media-worker:
//   - input bucket: s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload
//   - output bucket: s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload
//   - jobs table: dynamodb:GetItem, dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem
//   - segment completions table: dynamodb:Query, dynamodb:PutItem, dynamodb:BatchWriteItem
//   - reassembly triggered table: dynamodb:GetItem, dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem
//   - chunking queue: sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:SendMessage, sqs:GetQueueAttributes
//   - video-worker queue: sqs:SendMessage, sqs:GetQueueAttributes
//   - segment-output queue: sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:SendMessage, sqs:GetQueueAttributes
//   - reassembly queue: sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:SendMessage, sqs:GetQueueAttributes
//   - task: ecs:UpdateTaskProtection
//
// video-worker:
//   - input bucket: s3:ListBucket, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload
//   - output bucket: s3:ListBucket, s3:GetObject, s3:PutObject, s3:PutObjectTagging, s3:DeleteObject, s3:AbortMultipartUpload
//   - jobs table: dynamodb:GetItem, dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem
//   - segment completions table: dynamodb:Query, dynamodb:PutItem, dynamodb:BatchWriteItem
//   - reassembly triggered table: dynamodb:GetItem, dynamodb:PutItem, dynamodb:DeleteItem
//   - chunking queue: sqs:SendMessage, sqs:GetQueueAttributes
//   - video-worker queue: sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:SendMessage, sqs:GetQueueAttributes
//   - reassembly queue: sqs:SendMessage, sqs:GetQueueAttributes
//   - endpoint: sagemaker:InvokeEndpointAsync
//   - task: ecs:UpdateTaskProtection
//
// inference:
//   - input bucket: s3:ListBucket, s3:GetObject
//   - output bucket: s3:ListBucket, s3:GetObject, s3:PutObject, s3:PutObjectTagging, s3:AbortMultipartUpload
//   - hub token secret: secretsmanager:GetSecretValue
package aws
