/**
 * `policy edit`, `policy set` and `policy accept`: change the policy. Every change needs the passphrase,
 * which seals it.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { visibleJson } from '../../domain/visible-text.js'
import { Failure } from '../failure.js'
import { type Home, homeAt } from '../home/home.js'
import { openHomeKeys } from '../home/open-home.js'
import { readPassphrase } from '../home/read-passphrase.js'
import { isSealedSignerFile, requireSignerFile, writeSignerFile } from '../home/signer-file.js'
import { writeFileAtomically } from '../home/write-file-atomically.js'
import { parsePolicy } from '../policy/policy.js'
import { policyDifference } from '../policy/policy-difference.js'
import { isSealed, sealedPolicy, sealPolicy } from '../policy/seal.js'
import { type Command, homeOption, printJson, readOptions, requireOption } from './command.js'
import { requireSealedPolicy } from './require-sealed-policy.js'

const help = `keyturn-signer policy accept|edit|set --home DIR [options]

Changes what may be signed. Each command shows the difference from the policy that was
sealed last, checks the new one, asks, and seals it with the passphrase. A running signer
reads it again. It refuses a policy.json that was changed in another way until you accept it.

  policy accept         puts policy.json in force as it is, and signer.json too where its seal is
                        not genuine: compare its witness and its ids with what you know
  policy edit           opens a copy in $EDITOR, and puts the result in force
  policy set --from FILE   puts the policy in FILE in force

  --home DIR               directory of this signer (also KEYTURN_SIGNER_HOME)
  --yes                    do not ask on the terminal
  --passphrase-file FILE   else KEYTURN_SIGNER_PASSPHRASE, else asked for`

/** The `policy` command. */
export const policyCommand: Command = {
  help,
  async run([verb, ...args]) {
    const options = readOptions(args, {
      home: { type: 'string' },
      from: { type: 'string' },
      yes: { type: 'boolean' },
      'passphrase-file': { type: 'string' },
    })
    if (verb !== 'accept' && verb !== 'edit' && verb !== 'set') {
      throw new Failure('Use policy accept, policy edit or policy set; see keyturn-signer policy --help')
    }
    const home = homeAt(homeOption(options.home))
    const signer = requireSignerFile(home)
    const from = verb === 'set' ? requireOption(options.from, 'from') : home.policy
    const { sealKey } = openHomeKeys(home, await readPassphrase(options['passphrase-file']))
    if (verb !== 'accept') requireSealedPolicy(home, sealKey)
    const sealsSigner = verb === 'accept' && !isSealedSignerFile(sealKey, signer)
    const text = verb === 'edit' ? edited(home) : read(from)
    const policy = parsed(text)
    const before = sealedPolicy(home)
    // A copy without a genuine seal does not prove what was in force, so the whole policy is shown.
    const known = before !== null && isSealed(home, sealKey, before) ? before : null
    const difference = policyDifference(known, text)
    if (known === null) process.stderr.write('There is no policy with a genuine seal; this is all of it:\n')
    process.stderr.write(difference.length === 0 ? 'Nothing differs.\n' : `${difference.join('\n')}\n`)
    if (sealsSigner) {
      process.stderr.write(`signer.json has no genuine seal; this is all of it:\n${visibleJson(signer, 2)}\n`)
    }
    if (!options.yes) await confirm()
    if (sealsSigner) writeSignerFile(home, sealKey, signer)
    sealPolicy(home, sealKey, text)
    rmSync(copyOf(home), { force: true })
    printJson({ policy_hash: policy.hash, approvers: policy.approvers.size, quorum: policy.quorum })
  },
}

/** Returns the policy as the operator left it in the editor. A copy that is not usable is kept. */
function edited(home: Home): string {
  const editor = process.env.VISUAL ?? process.env.EDITOR
  if (!editor) throw new Failure('Set EDITOR, or use policy set --from FILE')
  const copy = copyOf(home)
  writeFileAtomically(copy, readFileSync(home.policy, 'utf8'))
  // The shell runs the editor, because EDITOR often holds options too.
  const { status } = spawnSync('/bin/sh', ['-c', `${editor} "$1"`, 'sh', copy], { stdio: 'inherit' })
  if (status !== 0) throw new Failure('The editor failed; nothing was changed')
  const text = read(copy)
  try {
    parsed(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'The policy is not usable'
    throw new Failure(`${reason}\nNothing was changed. The copy is ${copy}: policy set --from takes it`)
  }
  return text
}

const copyOf = (home: Home) => join(home.directory, 'policy.edited.json')

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Failure(`${path} cannot be read`, { cause: error })
  }
}

function parsed(text: string): ReturnType<typeof parsePolicy> {
  try {
    return parsePolicy(text)
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : 'The policy is not usable', { cause: error })
  }
}

async function confirm(): Promise<void> {
  if (!process.stdin.isTTY)
    throw new Failure('There is no terminal to ask on; review the difference, then give --yes')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const typed = await terminal.question('Type yes to put this policy in force: ')
    if (typed.trim() !== 'yes') throw new Failure('Nothing was changed')
  } finally {
    terminal.close()
  }
}
