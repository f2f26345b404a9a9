// Which file belongs to which unfinished upload, so that choosing it again goes on where it stopped.
const prefix = "stereospot.upload.";

const marks = (file) => ({ name: file.name, size: file.size, modified: file.lastModified });

export function remember(job, file) {
  try {
    localStorage.setItem(prefix + job, JSON.stringify(marks(file)));
  } catch {
    // a browser without storage forgets; the film's own page still continues
  }
}

export function forget(job) {
  try {
    localStorage.removeItem(prefix + job);
  } catch {
    // nothing was kept
  }
}

// recall returns the ids of unfinished uploads that may be of file.
export function recall(file) {
  try {
    const wanted = JSON.stringify(marks(file));
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix) && localStorage.getItem(key) === wanted)
      .map((key) => key.slice(prefix.length));
  } catch {
    return [];
  }
}
