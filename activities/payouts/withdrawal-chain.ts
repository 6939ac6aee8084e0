/** The steps of a withdrawal that need a node or the customer's signer: activities on the queue `chain`. */

import { heartbeating } from '../heartbeating.js'
import { awaitSignature, type SignatureWait } from './withdrawal/await-signature.js'
import { type BroadcastStep, broadcastWithdrawal } from './withdrawal/broadcast-withdrawal.js'
import type { BuildStep } from './withdrawal/build-step.js'
import { buildWithdrawal } from './withdrawal/build-withdrawal.js'
import { type CarryStep, carryWithdrawal } from './withdrawal/carry-withdrawal.js'
import type { WithdrawalChainDependencies } from './withdrawal/dependencies.js'
import {
  type FollowedStep,
  type FollowStep,
  followToEnd,
  followWithdrawal,
} from './withdrawal/follow-withdrawal.js'
import { orReportFailure, reportFailure } from './withdrawal/report-failure.js'
import { type ScreenStep, screenWithdrawal } from './withdrawal/screen-withdrawal.js'
import { takeAnswer } from './withdrawal/take-answer.js'

export interface WithdrawalChainActivities {
  screenWithdrawal(id: string): Promise<ScreenStep>
  carryWithdrawal(id: string, patient: boolean): Promise<CarryStep>
  followToEnd(id: string): Promise<FollowedStep>
}

/** The steps of `carryWithdrawal` and `followToEnd` one by one, for runs that began before these. */
export interface WithdrawalStepActivities {
  buildWithdrawal(id: string): Promise<BuildStep>
  awaitSignature(id: string): Promise<SignatureWait>
  takeAnswer(id: string): Promise<void>
  broadcastWithdrawal(id: string): Promise<BroadcastStep>
  followWithdrawal(id: string): Promise<FollowStep>
}

/**
 * Creates the activities. They return the outcomes that are expected (no funds, no node, no signer) and store
 * them on the withdrawal as `waiting`. An error that a step did not expect is stored in the same way, with an
 * alert.
 */
export function createWithdrawalChainActivities(
  dependencies: WithdrawalChainDependencies,
): WithdrawalChainActivities & WithdrawalStepActivities {
  return {
    screenWithdrawal: (id) =>
      orReportFailure(dependencies, id, 'Screening the destination', () =>
        screenWithdrawal(dependencies, id),
      ),
    carryWithdrawal: (id, patient) => carryWithdrawal(dependencies, id, patient),
    ...heartbeating({ followToEnd: (id: string) => followToEnd(dependencies, id) }),
    buildWithdrawal: (id) =>
      orReportFailure(dependencies, id, 'Building the transaction', () => buildWithdrawal(dependencies, id)),
    awaitSignature: (id) =>
      reportFailure(dependencies, id, 'Waiting for the signer', () => awaitSignature(dependencies, id)),
    takeAnswer: (id) =>
      reportFailure(dependencies, id, "Checking the signer's answer", () => takeAnswer(dependencies, id)),
    broadcastWithdrawal: (id) =>
      orReportFailure(dependencies, id, 'Sending the signed bytes', () =>
        broadcastWithdrawal(dependencies, id),
      ),
    followWithdrawal: (id) =>
      orReportFailure(dependencies, id, 'Following the transaction', () =>
        followWithdrawal(dependencies, id),
      ),
  }
}
