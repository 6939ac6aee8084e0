/**
 * Chooses the place of a witness. It is never inside the home, since a restore would take both back together.
 */

import { createHash } from 'node:crypto'
import { existsSync, realpathSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { Failure } from '../failure.js'
import { witnessKind } from '../journal/open-witness.js'
import { readTpmPlace, writeTpmPlace } from '../journal/tpm-place.js'
import type { Home } from './home.js'

/**
 * Returns the place that the operator names (`--witness`, else `KEYTURN_SIGNER_WITNESS`), else a file named
 * after the identity: `/var/lib/keyturn-witness/<id>` for root, `$XDG_STATE_HOME/keyturn-witness/<id>` for
 * other users. A TPM has a file of such a name beside it, where the operator names none.
 *
 * @throws Failure when the place is inside the home.
 */
export function witnessPlace(home: Home, named: string | undefined, identityPublicKey: string): string {
  const chosen = named ?? process.env.KEYTURN_SIGNER_WITNESS
  const place = chosen ? wholePlace(chosen, identityPublicKey) : defaultPlace(identityPublicKey)
  const file = fileOf(place)
  if (file !== null && isInside(file, home.directory)) {
    throw new Failure(
      `The witness ${place} would lie inside the home, and be taken back with it; name another place with --witness`,
    )
  }
  return place
}

/** Returns a warning about a place. `null` where there is nothing to warn of. */
export function witnessWarning(home: Home, place: string): string | null {
  if (witnessKind(place) !== 'file') return null
  if (statSync(existing(place)).dev !== statSync(existing(home.directory)).dev) return null
  return `The witness ${place} is on the same filesystem as the home: a restored snapshot would take both back, unnoticed. Name another disk or a URL with --witness`
}

/**
 * Returns a reminder for a move to a place that protects from more than the place before. `null` for a move
 * to a file.
 */
export function earlierSnapshots(place: string): string | null {
  if (witnessKind(place) === 'file') return null
  return 'A snapshot of the disks from before this move brings the old witness back too, unnoticed: destroy such snapshots, or enrol a new signer with init --restore'
}

/** Returns the place that was named, with all that `signer.json` needs to find it again. */
function wholePlace(named: string, identityPublicKey: string): string {
  switch (witnessKind(named)) {
    case 'file':
      return resolve(named)
    case 'url':
      return named
    case 'tpm':
      return writeTpmPlace(readTpmPlace(named, `${defaultPlace(identityPublicKey)}.tpm`))
  }
}

/** Returns the file that belongs to a place. `null` where there is none. */
function fileOf(place: string): string | null {
  switch (witnessKind(place)) {
    case 'file':
      return place
    case 'url':
      return null
    case 'tpm':
      return readTpmPlace(place).file
  }
}

function defaultPlace(identityPublicKey: string): string {
  const id = createHash('sha256').update(identityPublicKey).digest('hex').slice(0, 32)
  const state =
    process.getuid?.() === 0 ? '/var/lib' : (process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'))
  return join(resolve(state), 'keyturn-witness', id)
}

function isInside(path: string, directory: string): boolean {
  const from = relative(real(directory), real(path))
  return from === '' || !(from === '..' || from.startsWith('../'))
}

/** Returns the path without symbolic links, as far as it exists. */
function real(path: string): string {
  const there = existing(path)
  return join(realpathSync(there), relative(there, resolve(path)))
}

/** Returns the path, or the nearest directory above it that exists. */
function existing(path: string): string {
  const whole = resolve(path)
  return existsSync(whole) ? whole : existing(dirname(whole))
}
