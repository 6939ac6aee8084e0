/** The commands `approve` and `reject`: they show the intent, ask, sign and send. */

import { createInterface } from 'node:readline/promises'
import type { Decision } from '../../domain/controls/approval.js'
import { visibleJson, visibleText } from '../../domain/visible-text.js'
import { callApi } from './call-api.js'
import { readCredentials } from './credentials.js'
import { describeIntent, subjectOf } from './describe-intent.js'
import { Failure } from './failure.js'
import { fetchIntent } from './fetch-intent.js'
import { readOptions } from './options.js'
import { signDecision } from './sign-decision.js'

/** Runs the command. */
export async function decideCommand(decision: Decision, args: readonly string[]): Promise<void> {
  const options = readOptions(args, true)
  const credentials = readCredentials(options.credentials)
  const { intent, hash, path } = await fetchIntent(credentials, options.id)
  if (options.hash !== undefined && options.hash !== hash) {
    throw new Failure(`The intent's hash is ${hash}, not the one that you named. Do not sign.`)
  }
  process.stderr.write(`${describeIntent(intent, hash)}\n`)
  if (!options.yes) await confirm(decision)
  const body = signDecision({
    decision,
    intentHash: hash,
    approverId: credentials.approverId,
    privateKey: credentials.privateKey(),
    reason: options.reason,
  })
  const answer = await callApi(credentials, `${path}/approvals`, body)
  process.stdout.write(
    options.json
      ? `${visibleJson({ decision, intent_hash: hash, answer }, 2)}\n`
      : `Signed and sent: ${decision} ${visibleText(subjectOf(intent))}\n`,
  )
}

async function confirm(decision: Decision): Promise<void> {
  if (!process.stdin.isTTY)
    throw new Failure('There is no terminal to ask on. Check the intent with show, then give --yes')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const typed = await terminal.question(`Type ${decision} to sign: `)
    if (typed.trim() !== decision) throw new Failure('Nothing was signed')
  } finally {
    terminal.close()
  }
}
