// A file that somebody dropped or chose -> what `POST /admin/route` takes as a candidate.

/** Bytes. A module may have 64 MiB, a request to the admin plane 32 MiB: base64 leaves this much. */
export const MOST_BYTES = 20 * 2 ** 20;

/** {name, data} with the bytes as base64; an Error says why it is none. */
export async function candidateOf(file) {
  if (!/\.(wasm|wat)$/i.test(file.name)) throw new Error(`${file.name}: a rule is a .wasm or .wat file`);
  if (file.size > MOST_BYTES) throw new Error(`${file.name}: ${file.size} bytes; the page takes ${MOST_BYTES}`);
  return { name: file.name, data: await base64(file) };
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error(`${file.name}: it cannot be read (${reader.error?.message})`));
    reader.readAsDataURL(file);
  });
}
