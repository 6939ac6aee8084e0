/** Removes secrets and personal data from the answer of a webhook endpoint before it is stored and shown. */

/** Bytes of an answer that are kept. */
export const ANSWER_BYTES = 1_024

const HIDDEN = '[redacted]'
/** Names of fields and headers whose value is left out: `"api_key": "…"`, `Authorization: Bearer …`, `token=…`. */
const SECRET_NAME =
  '[\\w.-]{0,40}(?:secret|passw(?:or)?d|passwd|passphrase|mnemonic|token|api[_-]?key|private[_-]?key|authorization|cookie|credential|signature|session)[\\w.-]{0,40}'
/** Ids of the platform and UUIDs, which help to find the cause and open nothing. */
const ID = /^(?:[a-z]{2,10}_[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:_[0-9a-f]{32})?$/i

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]{1,40}-----[\s\S]*?(?:-----END [A-Z ]{1,40}-----|$)/g, HIDDEN],
  [
    new RegExp(`(["']${SECRET_NAME}["']\\s*:\\s*)(?:"(?:[^"\\\\]|\\\\.)*"?|'[^']*'?|[^\\s,}\\]]+)`, 'gi'),
    `$1"${HIDDEN}"`,
  ],
  [
    new RegExp(`(^|[^\\w"'])(${SECRET_NAME}\\s*[:=]\\s*)(?!["']?\\[redacted)[^\\r\\n&;<]+`, 'gim'),
    `$1$2${HIDDEN}`,
  ],
  [/\b(bearer|basic|digest)\s+(?!\[redacted)[\w.~+/=-]{6,}/gi, `$1 ${HIDDEN}`],
  [/\bwhsec_[\w+/=-]*/g, HIDDEN],
  [/\bv1a?,[\w+/=-]{8,}/g, HIDDEN],
  [/\beyJ[\w-]+\.[\w-]*(?:\.[\w-]*)?/g, HIDDEN],
  [/\b[a-z]{1,3}p(?:rv|ub)[1-9A-HJ-NP-Za-km-z]{40,}/g, HIDDEN],
  [/(:\/\/)[^\s/@:]{1,100}:[^\s/@]{1,200}@/g, `$1${HIDDEN}@`],
  [/[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+/g, HIDDEN],
]
/** A run that may be a key: hexadecimal, or letters and digits mixed. Words and paths are no such runs. */
const RUN = /[\w+=-]{20,}/g

/**
 * Returns the first kilobyte of an answer without what looks like a secret, a signature, a token, a key or an e-mail
 * address. It hides too much rather than too little. Text that was redacted before stays as it is.
 */
export function redactAnswer(answer: string | null): string | null {
  if (answer === null) return null
  let text = answer
  for (const [pattern, replacement] of PATTERNS) text = text.replace(pattern, replacement)
  text = text.replace(RUN, (run) => (!ID.test(run) && looksRandom(run) ? HIDDEN : run))
  return cutToBytes(text, ANSWER_BYTES)
}

function looksRandom(run: string): boolean {
  if (/(?:0x)?[0-9a-f]{32,}/i.test(run)) return true
  return /[0-9]/.test(run) && /[a-z]/.test(run) && /[A-Z]/.test(run)
}

/** Cuts a text to a number of bytes of UTF-8 and leaves out a character that would be cut. */
function cutToBytes(text: string, most: number): string {
  const bytes = new TextEncoder().encode(text)
  return bytes.length <= most ? text : new TextDecoder().decode(bytes.subarray(0, most), { stream: true })
}
