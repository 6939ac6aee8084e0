/** `unlock`: the operator accepts that a part of the journal is lost. */

import { rmSync } from 'node:fs'
import { Failure } from '../failure.js'
import { claimHome } from '../home/claim-home.js'
import { homeAt } from '../home/home.js'
import { type JournalLock, readLock } from '../home/lock-file.js'
import { openHomeJournal, openHomeKeys } from '../home/open-home.js'
import { readPassphrase } from '../home/read-passphrase.js'
import { requireSealedSignerFile, requireSignerFile } from '../home/signer-file.js'
import { keepWitnessPlace } from '../home/start-witness.js'
import { witnessPlace } from '../home/witness-place.js'
import { compareWitness } from '../journal/compare-witness.js'
import { MAX_JUMP } from '../journal/entry.js'
import type { Journal, JournalPosition } from '../journal/journal.js'
import { openWitness } from '../journal/open-witness.js'
import { type Command, homeOption, printJson, readOptions } from './command.js'

const help = `keyturn-signer unlock --home DIR [--head HEAD] [--witness PATH|URL]

Opens a signer that locked itself because its journal does not hold what the platform or
its witness saw, or because the witness is gone. Put the newest journal back instead
wherever you can; with it in place, unlock accepts nothing. Stop the signer first.

Without --head it shows what is lost and changes nothing.

What was signed in the lost part is not known any more, so from now on only intents that
are created later are new; older ones that this journal does not hold are refused. What
was paid in the lost part is missing in the rolling limits for 24 hours.

  --home DIR           directory of this signer (also KEYTURN_SIGNER_HOME)
  --head HEAD          the head that is shown: typing it confirms that you accept the loss, and,
                       where the platform knows more, that you compared it with its operator
  --witness PATH|URL   make the witness at another place, where its disk is lost too
  --passphrase-file FILE   else KEYTURN_SIGNER_PASSPHRASE, else asked for`

/** The command. */
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
    const lock = readLock(home)
    if (!lock) throw new Failure('The signer is not locked')
    const release = claimHome(home)
    try {
      const { sealKey } = openHomeKeys(home, await readPassphrase(options['passphrase-file']))
      const signer = requireSealedSignerFile(home, sealKey)
      const journal = openHomeJournal(home, 'write')
      const recorded = options.witness === undefined ? signer.witness : undefined
      const place = recorded ?? witnessPlace(home, options.witness, signer.identity_public_key)
      const witness = openWitness(place)
      const verdict = await compareWitness(witness, journal)
      const lost = [lock.known, verdict.known].filter((known) => isLost(known, journal))
      // Without a witness no record says what was there: something may be missing.
      const isFirst =
        signer.witness === undefined && (lock.by === 'platform' || journal.position.sequence > 0)
      const isUncertain = verdict.known === null && !isFirst
      const confirm = lock.known?.head ?? lock.own.head
      if (options.head !== confirm) {
        printJson({ unlocked: false, ...describe(lock, lost, journal), confirm_with: confirm })
        journal.close()
        throw new Failure(
          options.head === undefined
            ? `Nothing is changed; to accept this, run unlock with --head ${confirm}`
            : `Nothing is changed: the head to confirm is ${confirm}, not ${options.head}`,
        )
      }
      const report = describe(lock, lost, journal)
      for (const known of lost.length === 0 && isUncertain ? [journal.position] : lost) accept(known, journal)
      journal.sync()
      const { head, sequence } = journal.durable
      await witness.write({ head, sequence })
      const warning = place === signer.witness ? null : keepWitnessPlace(home, sealKey, signer, place)
      journal.close()
      rmSync(home.locked)
      const position = { head, sequence }
      printJson({
        unlocked: true,
        ...report,
        journal: position,
        witness: place,
        ...(warning ? { warning } : {}),
      })
    } finally {
      release()
    }
  },
}

/** Whether the journal lacks this entry; a place that no journal can reach says nothing. */
function isLost(known: JournalPosition | null, journal: Journal): known is JournalPosition {
  return known !== null && !journal.knows(known) && known.sequence - journal.position.sequence <= MAX_JUMP
}

function accept(known: JournalPosition, journal: Journal): void {
  // The platform and the witness may know the same entry.
  if (known !== journal.position && journal.knows(known)) return
  journal.append({ type: 'unlocked', known_head: known.head, known_sequence: known.sequence })
}

/** What is lost, for the one who has to accept it. */
function describe(lock: JournalLock, lost: readonly JournalPosition[], journal: Journal) {
  const { sequence } = journal.position
  const furthest = Math.max(0, ...lost.map((known) => known.sequence))
  return {
    by: lock.by,
    how: lock.how,
    own: {
      sequence,
      last_entry_at: journal.lastAt === 0 ? null : new Date(journal.lastAt).toISOString(),
    },
    // An entry that differs at a place that is here means that everything since the last common one may be another.
    lost:
      lost.length === 0
        ? null
        : furthest > sequence
          ? { from_sequence: sequence + 1, to_sequence: furthest }
          : { differs_at_sequence: furthest },
  }
}
