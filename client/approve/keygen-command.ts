/** The command `keygen`: makes an approver's key. */

import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Failure } from './failure.js'
import { readOptions } from './options.js'

/** Writes the private key (PKCS #8 PEM, mode 600) into a new file, and prints the public key. */
export async function keygenCommand(args: readonly string[]): Promise<void> {
  const { out } = readOptions(args, false)
  if (!out) throw new Failure('--out is missing: name the file for the private key')
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const folder = dirname(resolve(out))
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new Failure(`${out} cannot be written: the folder ${folder} does not exist and cannot be made`, {
      cause: error,
    })
  }
  try {
    writeFileSync(out, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    const reason = code === 'EEXIST' ? 'exists already; no key is overwritten' : `cannot be written (${code})`
    throw new Failure(`${out} ${reason}`, { cause: error })
  }
  const { x } = publicKey.export({ format: 'jwk' })
  const raw = Buffer.from(x ?? '', 'base64url').toString('base64')
  process.stdout.write(`${JSON.stringify({ private_key_file: out, public_key: raw }, null, 2)}\n`)
}
