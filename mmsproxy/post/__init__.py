"""The post office: what was accepted is kept until its outcome is known, and its outcome is never a guess.

job        PURE  the states of a message, and which change of state is allowed
policy     PURE  what is to be done with a message, and what an attempt made of it
admission  PURE  what is not accepted, or not yet: numbers, caps, opt-outs
store            the durable state; the only room that knows SQL
outbox           one worker for each line: claims, sends, settles
"""
