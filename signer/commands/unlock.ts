/** `unlock`: lets the operator accept that a part of the journal is lost. */

import { rmSync } from 'node:fs'
import { assertNever } from '../../domain/assert-never.js'
import { Failure } from '../failure.js'
import { claimHome } from '../home/claim-home.js'
import { homeAt } from '../home/home.js'
import { type JournalLock, readLock } from '../home/lock-file.js'
import { openHomeJournal, openHomeKeys } from '../home/open-home.js'
import { readPassphrase } from '../home/read-passphrase.js'
import { requireSealedSignerFile, requireSignerFile, type SignerFile } from '../home/signer-file.js'
import { keepWitnessPlace } from '../home/start-witness.js'
import { witnessPlace } from '../home/witness-place.js'
import { acceptLost, findLoss, type Loss, setsFence } from '../journal/accept-lost.js'
import { compareWitness, type WitnessVerdict } from '../journal/compare-witness.js'
import type { Journal, JournalPosition } from '../journal/journal.js'
import { JournalFailure } from '../journal/journal-failure.js'
import { openWitness } from '../journal/open-witness.js'
import { type Command, homeOption, printJson, readOptions } from './command.js'

const help = `keyturn-signer unlock --home DIR [--head HEAD] [--witness PATH|URL|tpm:INDEX]

Opens a signer that locked itself because its journal lacks an entry that the platform or
its witness saw, or because the witness is gone. If you can, put the newest journal back
first: unlock then accepts no loss. Stop the signer first.

Without --head it shows what is lost and changes nothing.

The signer no longer knows what it signed in the lost part. So it refuses intents that this
journal does not hold and that were created before the fence, which unlock shows. The fence
is never before an entry that the witness saw. Where that time is not known, the clock of
this machine alone decides, and must be right. The rolling limits do not count the payouts
of the lost part for 24 hours.

  --home DIR           directory of this signer (also KEYTURN_SIGNER_HOME)
  --head HEAD          the head that unlock shows: with it you accept the loss, and confirm that
                       you compared it with the platform's operator where the platform knows more
  --witness PATH|URL|tpm:INDEX
                       new place of the witness, where its disk, service or TPM is lost: this
                       also unlocks a signer that ends because its witness cannot be asked
  --passphrase-file FILE   else KEYTURN_SIGNER_PASSPHRASE, else asked for`

const CLOCK_MUST_BE_RIGHT =
  'The time of the last entry that was lost is not known, so the clock of this machine must be right: an intent that was paid after the fence could be paid again'

/** The `unlock` command. */
export const unlockCommand: Command = {
  help,
  async run(args) {
    const options = readOptions(args, {
      home: { type: 'string' },
      head: { type: 'string' },
      witness: { type: 'string' },
      'passphrase-file': { type: 'string' },
    })
    const home = homeAt(homeOption(options.home))
    requireSignerFile(home)
    const written = readLock(home)
    if (!written && options.witness === undefined) throw new Failure('The signer is not locked')
    const release = claimHome(home)
    try {
      const { sealKey } = openHomeKeys(home, await readPassphrase(options['passphrase-file']))
      const signer = requireSealedSignerFile(home, sealKey)
      const journal = openHomeJournal(home, 'write')
      const lock = written ?? (await lockOfLostWitness(signer, sealKey, journal))
      const recorded = options.witness === undefined ? signer.witness : undefined
      const place = recorded ?? witnessPlace(home, options.witness, signer.identity_public_key)
      const witness = openWitness(place, sealKey)
      const verdict = await compareWitness(witness, journal)
      const replaced = place === signer.witness ? null : await askIfThere(signer.witness, sealKey)
      // A witness at a new place may be an old copy, so only the one before it counts.
      const isMoved = signer.witness !== undefined && place !== signer.witness
      const isConfirmed = (isMoved ? replaced : verdict.known) !== null
      const isUncertain = mayLackMore(lock, isConfirmed, verdict, signer, journal)
      const loss = findLoss(journal, [lock.known, verdict.known, replaced], isUncertain)
      const confirm = lock.known?.head ?? lock.own.head
      if (options.head !== confirm) {
        printJson({ unlocked: false, ...describe(lock, loss, journal), confirm_with: confirm })
        journal.close()
        throw new Failure(
          options.head === undefined
            ? `Nothing is changed; to accept this, run unlock with --head ${confirm}${refusedBy(loss, journal)}`
            : `Nothing is changed: the head to confirm is ${confirm}, not ${options.head}`,
        )
      }
      const report = describe(lock, loss, journal)
      acceptLost(journal, loss)
      journal.sync()
      const { head, sequence } = journal.durable
      await witness.write(journal.durable)
      const warning = place === signer.witness ? null : await keepWitnessPlace(home, sealKey, signer, place)
      journal.close()
      rmSync(home.locked, { force: true })
      const position = { head, sequence }
      printJson({
        unlocked: true,
        ...report,
        fence: fenceText(journal.fence),
        journal: position,
        witness: place,
        ...(warning ? { warning } : {}),
      })
    } finally {
      release()
    }
  },
}

/**
 * Returns whether the journal may lack more than the platform and the witness can name. That is so when the
 * witness is gone, or was when the signer locked itself. A witness that was put there since may be an old
 * copy, so its agreement proves nothing.
 */
function mayLackMore(
  lock: JournalLock,
  isConfirmed: boolean,
  verdict: WitnessVerdict,
  signer: SignerFile,
  journal: Journal,
): boolean {
  const isEmpty = journal.position.sequence === 0
  switch (lock.how) {
    case 'witness_missing':
    case 'witness_unreadable':
      return true
    case 'journal_missing':
      if (isEmpty) return true
      break
    case 'behind':
    case 'differs':
    // A TPM cannot be an old copy: where it agrees by now, the newest disk was put back.
    case 'witness_behind':
      break
    default:
      assertNever(lock.how)
  }
  if (isConfirmed) return false
  // A home that is older than witnesses has none to lose.
  const hadNone = signer.witness === undefined && verdict.how === 'witness_missing'
  return !(hadNone && (lock.by === 'platform' || !isEmpty))
}

/**
 * Returns the lock of a signer whose witness cannot be asked any more, since its service or TPM is lost.
 *
 * @throws Failure when the witness can be asked, or there was none.
 */
async function lockOfLostWitness(
  signer: SignerFile,
  key: Uint8Array,
  journal: Journal,
): Promise<JournalLock> {
  const place = signer.witness
  try {
    if (place !== undefined) await compareWitness(openWitness(place, key), journal)
  } catch (error) {
    if (!(error instanceof JournalFailure)) throw error
    const { head, sequence } = journal.position
    return {
      by: 'witness',
      how: 'witness_missing',
      known: null,
      own: { head, sequence },
      reason: error.message,
    }
  }
  throw new Failure('The signer is not locked')
}

/**
 * Returns the position in the previous witness. `null` where its disk or service is lost, or it holds none.
 */
async function askIfThere(place: string | undefined, key: Uint8Array): Promise<JournalPosition | null> {
  if (place === undefined) return null
  try {
    return await openWitness(place, key).read()
  } catch {
    return null
  }
}

/** Returns the fence as text; an intent is new only when it was created later. `null` where there is none. */
function fenceText(fence: number | null): string | null {
  return fence === null ? null : new Date(fence).toISOString()
}

/** Says which intents are refused after the loss is accepted. Empty where that sets no fence. */
function refusedBy(loss: Loss, journal: Journal): string {
  if (!setsFence(loss)) return ''
  const fence = fenceText(fenceOf(loss, journal))
  return `. Intents created before ${fence} are then refused, unless this journal holds them`
}

/** Returns the fence in milliseconds after the loss is accepted now. `null` where there is none. */
function fenceOf(loss: Loss, journal: Journal): number | null {
  return setsFence(loss) ? Math.max(journal.now(), loss.notBefore) : journal.fence
}

/** Describes what is lost, and what follows from accepting it. */
function describe(lock: JournalLock, loss: Loss, journal: Journal) {
  const { lost } = loss
  const { sequence } = journal.position
  const furthest = Math.max(0, ...lost.map((known) => known.sequence))
  return {
    by: lock.by,
    how: lock.how,
    own: {
      sequence,
      last_entry_at: journal.lastAt === 0 ? null : new Date(journal.lastAt).toISOString(),
    },
    // If an entry at a place that exists here differs, everything since the last common entry may differ.
    lost:
      lost.length === 0
        ? null
        : furthest > sequence
          ? { from_sequence: sequence + 1, to_sequence: furthest }
          : { differs_at_sequence: furthest },
    fence: fenceText(fenceOf(loss, journal)),
    ...(setsFence(loss) && !loss.isTimeKnown ? { clock: CLOCK_MUST_BE_RIGHT } : {}),
  }
}
