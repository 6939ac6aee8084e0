/** The approver's program, `keyturn-approve`. The key that signs never leaves the approver's machine. */

import { decideCommand } from './approve/decide-command.js'
import { Failure } from './approve/failure.js'
import { keygenCommand } from './approve/keygen-command.js'
import { showCommand } from './approve/show-command.js'

const HELP = `keyturn-approve: shows what is to be paid, and signs your decision with your own key

  keygen  --out FILE            make an Ed25519 key; prints the public key to register
  show    ID                    show what is paid to whom, from the intent itself
  approve ID                    show the same, then sign and send "approve"
  reject  ID [--reason TEXT]    show the same, then sign and send "reject", which is final

ID is a withdrawal (withdrawal_…), a batch (batch_…), or the path of what needs approval: policy/changes/pol_…,
whitelist/addresses/wla_…, movements/mov_…, deposits/releases/rel_…, periods/2026-11,
settlement/resumptions/rsm_….

  --yes                  do not ask on the terminal
  --hash HASH            sign only if the intent has this hash: compare it with a colleague's
  --json                 print JSON
  --credentials FILE     JSON {api, api_key, api_secret, approver_id, private_key_file}

Without a file: KEYTURN_API, KEYTURN_API_KEY, KEYTURN_API_SECRET, KEYTURN_APPROVER_ID and
KEYTURN_APPROVER_KEY_FILE (or the PEM itself in KEYTURN_APPROVER_KEY).`

async function main([name, ...args]: readonly string[]): Promise<void> {
  if (name === undefined || name === 'help' || name === '--help' || args.includes('--help')) {
    process.stdout.write(`${HELP}\n`)
    return
  }
  switch (name) {
    case 'keygen':
      return keygenCommand(args)
    case 'show':
      return showCommand(args)
    case 'approve':
    case 'reject':
      return decideCommand(name, args)
    default:
      throw new Failure(`There is no command ${name}; see keyturn-approve --help`)
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const text = error instanceof Failure ? error.message : error instanceof Error ? error.stack : String(error)
  process.stderr.write(`${text}\n`)
  process.exitCode = 1
})
