/** Compares the journal with its witness before `run` serves, and moves the witness to another place. */

import { existsSync, rmSync, statSync } from 'node:fs'
import { compareWitness } from '../journal/compare-witness.js'
import type { Journal } from '../journal/journal.js'
import { openTpmIndex, openWitness, witnessKind } from '../journal/open-witness.js'
import { readTpmPlace } from '../journal/tpm-place.js'
import type { Witness } from '../journal/witness.js'
import { retireFileWitness } from '../journal/witness-file.js'
import { retireTpmWitness } from '../journal/witness-tpm.js'
import { log } from '../log.js'
import type { Home } from './home.js'
import type { JournalLock } from './lock-file.js'
import { type SignerFile, writeSignerFile } from './signer-file.js'
import { witnessPlace } from './witness-place.js'

export interface StartedWitness {
  readonly witness: Witness
  /** Reason why nothing may be signed. `null` where the journal holds the position of the witness. */
  readonly lock: Omit<JournalLock, 'own'> | null
}

/**
 * Compares the journal with its witness, and brings the witness up to date. A home that was enrolled before
 * there were witnesses gets one now, once. If a witness exists there already, it counts.
 *
 * @param key - Key of the seal of `signer.json`.
 * @param journalWasThere - Whether the journal's file existed before it was opened.
 * @throws JournalFailure when the witness cannot be read or written.
 */
export async function startWitness(
  home: Home,
  key: Uint8Array,
  signer: SignerFile,
  journal: Journal,
  journalWasThere: boolean,
): Promise<StartedWitness> {
  const place = signer.witness ?? witnessPlace(home, undefined, signer.identity_public_key)
  const witness = openWitness(place, key)
  const verdict = await compareWitness(witness, journal)
  const adopts = signer.witness === undefined && verdict.how === 'witness_missing'
  if (adopts && !journalWasThere) {
    return { witness, lock: { by: 'witness', how: 'journal_missing', known: null } }
  }
  if (!adopts && verdict.how !== 'agrees') {
    const { how, known, reason } = verdict
    return { witness, lock: { by: 'witness', how, known, ...(reason ? { reason } : {}) } }
  }
  if (adopts && journal.position.sequence === 0) journal.append({ type: 'enrolled' })
  journal.sync()
  await witness.write(journal.durable)
  if (signer.witness === undefined) {
    await keepWitnessPlace(home, key, signer, place)
    log('info', 'This home has a witness from now on', { witness: place })
  }
  return { witness, lock: null }
}

/**
 * Writes the place of the witness into `signer.json`, and takes the previous place out of use: a copy of the
 * home that names it would take its head for the newest one.
 *
 * @returns A warning about a place that the operator must take out of use. `null` where there is none.
 */
export async function keepWitnessPlace(
  home: Home,
  key: Uint8Array,
  signer: SignerFile,
  place: string,
): Promise<string | null> {
  writeSignerFile(home, key, { ...signer, witness: place })
  const before = signer.witness
  if (before === undefined || isSamePlace(before, place)) return null
  try {
    if (await isRetired(before, place, key)) return null
  } catch {
    // The disk or the TPM of the previous witness may be lost.
  }
  return `The witness before, ${before}, may still hold a head that an old copy of this home agrees with: take it out of use`
}

/** Takes the previous place of a witness out of use. @returns False where only the operator can. */
async function isRetired(before: string, place: string, key: Uint8Array): Promise<boolean> {
  const now = witnessKind(place) === 'tpm' ? readTpmPlace(place) : null
  switch (witnessKind(before)) {
    case 'file':
      // A TPM whose file is named like the old witness has overwritten it.
      if (now?.file !== before) retireFileWitness(before)
      return true
    case 'url':
      return false
    case 'tpm': {
      const { device, file, index } = readTpmPlace(before)
      // The same index has counted since, so the old file agrees with nothing. Another device of that name may
      // be the same TPM.
      if (now?.index === index) return now.device === device
      await retireTpmWitness(openTpmIndex(before, key))
      if (file !== place && file !== now?.file) rmSync(file, { force: true })
      return true
    }
  }
}

function isSamePlace(one: string, other: string): boolean {
  if (one === other) return true
  const isFile = [one, other].every((place) => witnessKind(place) === 'file')
  if (!isFile || !existsSync(one) || !existsSync(other)) return false
  const [a, b] = [statSync(one), statSync(other)]
  return a.ino === b.ino && a.dev === b.dev
}
