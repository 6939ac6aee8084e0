/** `keygen`: makes an approver's key. */

import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { Failure } from './failure.js'
import { readOptions } from './options.js'

/** The command: writes the private key (PKCS #8 PEM, mode 600, never over a file) and prints the public one. */
export async function keygenCommand(args: readonly string[]): Promise<void> {
  const { out } = readOptions(args, false)
  if (!out) throw new Failure('--out is missing: where shall the private key go?')
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  try {
    writeFileSync(out, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    throw new Failure(`${out} cannot be written, or exists already`, { cause: error })
  }
  const { x } = publicKey.export({ format: 'jwk' })
  const raw = Buffer.from(x ?? '', 'base64url').toString('base64')
  process.stdout.write(`${JSON.stringify({ private_key_file: out, public_key: raw }, null, 2)}\n`)
}
