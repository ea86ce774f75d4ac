import type { Clock, Timer } from '../lib/clock.ts';
import { seconds } from '../lib/duration.ts';

const COMMAND_LIMIT = seconds(2);

export interface AgentCommandResult {
  readonly ok: boolean;
  readonly message: string;
}

interface PendingCommand {
  readonly resolve: (result: AgentCommandResult) => void;
  readonly timer: Timer;
}

/** Commands that the agent has not answered yet; each is answered, by a limit of time if by nobody else. */
export class AgentCommands {
  readonly #clock: Clock;
  readonly #pending = new Map<number, PendingCommand>();
  #next = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param send hands the command to the agent under this id */
  ask(send: (id: number) => void): Promise<AgentCommandResult> {
    const id = this.#next++;
    return new Promise((resolve) => {
      const timer = this.#clock.timerAfter(COMMAND_LIMIT, () =>
        this.settle(id, { ok: false, message: 'the failover agent did not answer' }),
      );
      this.#pending.set(id, { resolve, timer });
      send(id);
    });
  }

  settle(id: number, { ok, message }: AgentCommandResult): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.timer.cancel();
    pending.resolve({ ok, message });
  }

  abandon(): void {
    for (const id of this.#pending.keys()) {
      this.settle(id, { ok: false, message: 'the failover agent ended before it answered' });
    }
  }
}
