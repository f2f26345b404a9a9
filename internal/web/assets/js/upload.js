// Sends films in parts and goes on where an earlier try stopped. Uppy cuts, sends and repeats the parts; the API
// signs them and knows which have arrived, so a closed tab or a restarted server costs only the parts in flight.
import AwsS3 from "@uppy/aws-s3";
import Uppy from "@uppy/core";
import { ApiError, call, patiently } from "./api.js";
import { sameContent } from "./same.js";

// How long Uppy waits between tries of one part, in milliseconds: about an hour in all.
const retryDelays = [0, 500, 1000, 2000, 3000, ...Array(720).fill(5000)];

export class Uploads {
  #uppy = new Uppy({ autoProceed: false, allowMultipleUploadBatches: true });
  #partSizes = new WeakMap(); // File → bytes
  #watchers = new Map(); // job id → { progress, done, trouble }

  constructor() {
    this.#uppy.use(AwsS3, {
      shouldUseMultipart: true,
      limit: 3, // browsers allow six connections; parts under way are what a lost network costs
      retryDelays,
      getChunkSize: (data) => this.#partSizes.get(data),
      createMultipartUpload: (file) => file.s3Multipart, // begun before Uppy hears of the file
      listParts: (file, { signal }) => this.#listParts(file, signal),
      signPart: (file, { partNumber, signal }) => this.#signPart(file, partNumber, signal),
      completeMultipartUpload: (file, { parts, signal }) => this.#complete(file, parts, signal),
      abortMultipartUpload: () => {}, // the person removes the film; the upload goes with it
    });
    this.#uppy.on("upload-progress", (file, { bytesUploaded, bytesTotal }) => this.#tell(file, "progress", bytesUploaded, bytesTotal));
    this.#uppy.on("upload-success", (file) => this.#tell(file, "done"));
    this.#uppy.on("upload-error", (file, error) => this.#broke(file, error));
    addEventListener("beforeunload", (event) => this.busy && event.preventDefault());
  }

  get busy() {
    return this.#uppy.getFiles().some((f) => f.progress.uploadStarted && !f.progress.uploadComplete);
  }

  // send uploads file as the source of job. watcher: progress(bytes, all), done(), failed(error), trouble(error or null).
  async send(job, file, watcher) {
    this.#watchers.set(job, watcher);
    const upload = await patiently(() => call("POST", `/jobs/${job}/upload`, { size: file.size }), undefined, watcher.trouble);
    await this.#checkBeginning(job, file, upload);
    this.#partSizes.set(file, upload.part_size);
    const id = this.#uppy.addFile({ name: file.name, type: file.type, data: file, meta: { job, relativePath: job } });
    this.#uppy.setFileState(id, { s3Multipart: { key: job, uploadId: upload.upload_id } });
    this.#uppy.upload().catch((error) => watcher.failed(error));
  }

  // again goes on with a job's file that failed.
  again(job) {
    const file = this.#uppy.getFiles().find((f) => f.meta.job === job);
    if (file) this.#uppy.retryUpload(file.id);
  }

  async #checkBeginning(job, file, { part_size }) {
    const { parts } = await call("GET", `/jobs/${job}/upload`);
    const first = parts?.find((p) => p.number === 1);
    if (first && !(await sameContent(file.slice(0, part_size), first.etag))) {
      throw new ApiError(409, "This is another file than the one whose upload began here. Choose that one, or start a new film.");
    }
  }

  async #listParts(file, signal) {
    const { parts } = await this.#patient(file, signal, () => call("GET", `/jobs/${file.meta.job}/upload`, undefined, signal));
    return (parts ?? []).map((p) => ({ PartNumber: p.number, Size: p.size, ETag: p.etag }));
  }

  async #signPart(file, number, signal) {
    const { url } = await this.#patient(file, signal, () =>
      call("POST", `/jobs/${file.meta.job}/upload/parts/${number}`, undefined, signal));
    return { method: "PUT", url: new URL(url, location.href).href };
  }

  async #complete(file, parts, signal) {
    const body = { parts: parts.map((p) => ({ number: p.PartNumber, etag: p.ETag.replaceAll('"', "") })) };
    await this.#patient(file, signal, async () => {
      try {
        await call("POST", `/jobs/${file.meta.job}/upload/complete`, body, signal);
      } catch (error) {
        // The answer to an earlier try may have been lost.
        if (error.passing || !(await call("GET", `/jobs/${file.meta.job}`, undefined, signal)).uploaded) throw error;
      }
    });
    return { location: location.href };
  }

  #patient(file, signal, work) {
    return patiently(work, signal, this.#watchers.get(file.meta.job).trouble);
  }

  // broke tells why a film's upload ended early, unless it is whole all the same: another tab, or `stereospot submit`,
  // may have sent the rest, and what this one sends after that is refused.
  async #broke(file, error) {
    const job = await call("GET", `/jobs/${file.meta.job}`).catch(() => null);
    if (job?.uploaded) {
      this.#uppy.removeFile(file.id);
      return this.#tell(file, "done");
    }
    const said = error instanceof ApiError ? error : new ApiError(0, "the upload broke off: try again, what has arrived isn't sent again");
    this.#tell(file, "failed", said);
  }

  #tell(file, what, ...about) {
    this.#watchers.get(file?.meta.job)?.[what](...about);
  }
}
