/** Signs links to the files of exports, which work for a time without a key. */

import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** Token of a link: id, end in milliseconds since 1970, and signature. */
const TOKEN = /^(exp_[0-9a-f]{32})\.(\d{1,15})\.([\w-]{43})$/

/** Derived keys by master key. */
const known = new Map<string, Buffer>()

/** Returns a token that opens the file of the job `id` until `expiresAt`. */
export function signExportLink(masterKeyHex: string, id: string, expiresAt: Date): string {
  const body = `${id}.${expiresAt.getTime()}`
  return `${body}.${signatureOf(masterKeyHex, body).toString('base64url')}`
}

/**
 * Returns the id of the job whose file the token opens. `null` if it opens none, or none any more.
 *
 * @param masterKeys - Master keys of this process. Any of them may have signed.
 */
export function openExportLink(masterKeys: readonly string[], token: string, now: Date): string | null {
  const [, id = '', end = '', signature = ''] = TOKEN.exec(token) ?? []
  if (id === '') return null
  const given = Buffer.from(signature, 'base64url')
  const signed = masterKeys.some((key) => {
    const expected = signatureOf(key, `${id}.${end}`)
    return expected.length === given.length && timingSafeEqual(expected, given)
  })
  return signed && now.getTime() < Number(end) ? id : null
}

function signatureOf(masterKeyHex: string, body: string): Buffer {
  let key = known.get(masterKeyHex)
  if (key === undefined) {
    key = Buffer.from(hkdfSync('sha256', Buffer.from(masterKeyHex, 'hex'), '', 'keyturn export links v1', 32))
    known.set(masterKeyHex, key)
  }
  return createHmac('sha256', key).update(body).digest()
}
