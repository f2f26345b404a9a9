// sameContent compares a blob with a part's name: CRC-32C and then CRC-32 of its bytes, eight hexadecimal digits each. A
// name of another form can't be checked and passes.
export async function sameContent(blob, etag) {
  const name = etag.replaceAll('"', "");
  if (!/^[0-9a-f]{16}$/.test(name)) return true;
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return crc(bytes, castagnoli) + crc(bytes, ieee) === name;
}

// The polynomials, bits reversed: RFC 3720 (iSCSI) and IEEE 802.3.
const castagnoli = table(0x82f63b78);
const ieee = table(0xedb88320);

function table(polynomial) {
  return Uint32Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ polynomial : n >>> 1;
    return n;
  });
}

function crc(bytes, entries) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = entries[(sum ^ byte) & 0xff] ^ (sum >>> 8);
  return (~sum >>> 0).toString(16).padStart(8, "0");
}
