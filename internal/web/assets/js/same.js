// sameContent compares a blob with a part's name. Names that aren't a SHA-256, and pages without HTTPS, where a
// browser offers no hashing, can't be checked and pass.
export async function sameContent(blob, etag) {
  const name = etag.replaceAll('"', "");
  if (!/^[0-9a-f]{64}$/.test(name) || !globalThis.crypto?.subtle) return true;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  return Array.from(hash, (b) => b.toString(16).padStart(2, "0")).join("") === name;
}
