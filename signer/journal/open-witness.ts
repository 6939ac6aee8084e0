/** Opens the witness at a place. */

import { isAbsolute } from 'node:path'
import { Failure } from '../failure.js'
import type { Witness } from './witness.js'
import { openFileWitness } from './witness-file.js'
import { openUrlWitness } from './witness-url.js'

/** Names of this machine itself. Calls to them leave no machine. */
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Returns whether a place is a URL, and not the path of a file. */
export function isWitnessUrl(place: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(place)
}

/**
 * Opens the witness in a file or behind a URL. A URL gets the bearer token of `KEYTURN_SIGNER_WITNESS_TOKEN`.
 *
 * @throws Failure when the place is neither an absolute path nor an https URL without a password in it.
 */
export function openWitness(place: string): Witness {
  if (!isWitnessUrl(place)) {
    if (!isAbsolute(place)) throw new Failure(`The witness ${place} is not an absolute path`)
    return openFileWitness(place)
  }
  const url = URL.canParse(place) ? new URL(place) : null
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname))
  if (!url || !isSafe) throw new Failure('The URL of a witness begins with https://')
  if (url.username || url.password) {
    throw new Failure('The URL of a witness holds no password; set KEYTURN_SIGNER_WITNESS_TOKEN')
  }
  return openUrlWitness(place, process.env.KEYTURN_SIGNER_WITNESS_TOKEN)
}
