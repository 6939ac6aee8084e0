/** Runs the customer's executable, `keyturn-signer`. */

import { visibleText } from '../domain/visible-text.js'
import { approveDeviceCommand } from './commands/approve-device.js'
import type { Command } from './commands/command.js'
import { exportPolicyCommand } from './commands/export-policy.js'
import { exportXpubsCommand } from './commands/export-xpubs.js'
import { initCommand } from './commands/init.js'
import { policyCommand } from './commands/policy.js'
import { runCommand } from './commands/run.js'
import { showMnemonicCommand } from './commands/show-mnemonic.js'
import { statusCommand } from './commands/status.js'
import { unlockCommand } from './commands/unlock.js'
import { verifyPolicyCommand } from './commands/verify-policy.js'
import { witnessCommand } from './commands/witness.js'
import { Failure } from './failure.js'
import { isHelper } from './helpers/thread.js'
import { JournalFailure } from './journal/journal-failure.js'
import { SIGNER_VERSION } from './version.js'

const COMMANDS: Readonly<Record<string, Command>> = {
  init: initCommand,
  run: runCommand,
  status: statusCommand,
  'export-xpubs': exportXpubsCommand,
  'export-policy': exportPolicyCommand,
  'approve-device': approveDeviceCommand,
  policy: policyCommand,
  'verify-policy': verifyPolicyCommand,
  'show-mnemonic': showMnemonicCommand,
  unlock: unlockCommand,
  witness: witnessCommand,
}

const HELP = `keyturn-signer ${SIGNER_VERSION}: holds the keys of a business and decides on every payout

  init             make or restore a seed, enrol at the platform
  run              serve the platform
  status           show id, journal, policy, and whether it is paused or locked
  approve-device   pin an approver's key
  policy           change the policy, or accept one that was changed by hand
  verify-policy    check a policy, and say what it leaves open
  export-policy    print the policy and its hash
  export-xpubs     print the extended public keys
  show-mnemonic    show the words of the seed, on a terminal
  unlock           accept that a part of the journal is lost
  witness          move the witness of the journal's head

keyturn-signer COMMAND --help says more; docs/signer-protocol.md has the whole protocol.`

async function main([name, ...args]: readonly string[]): Promise<void> {
  if (name === undefined || name === '--help' || name === 'help') return say(HELP)
  if (name === '--version') return say(SIGNER_VERSION)
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!command) throw new Failure(`There is no command ${name}; see keyturn-signer --help`)
  if (args.includes('--help')) return say(command.help)
  await command.run(args)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

// In the executable, threads load this file too, and run no command.
if (!isHelper) {
  // Output may end in a file, and other users of the machine must not read it.
  process.umask(0o077)
  main(process.argv.slice(2)).catch(explain)
}

function explain(error: unknown): void {
  // A stack trace does not help a person whose passphrase or witness is wrong; an unexpected error shows where it
  // came from.
  const expected = error instanceof Failure || error instanceof JournalFailure
  const text = expected ? error.message : error instanceof Error ? error.stack : String(error)
  // The text may quote a file that another person wrote.
  process.stderr.write(`${(text ?? '').split('\n').map(visibleText).join('\n')}\n`)
  process.exitCode = 1
}
